"""What an operator may do and see, for the command `boss` and for a console alike: nothing in here prints, asks, or loads a provider's SDK.

`people` names whose a message is, `messages` shows messages, `find` leads from a complaint to them, `explanations` says what a reason
means; `retries`, `discards`, `pauses` and `erase` change something, and write down who did.
"""
