"""Every sentence of ours that a person reads, in each language, by subject. Pure.

A row is a sentence by its name, in all languages and with the same placeholders in each: mypy asks for every language, and
`tests/unit/shared/model/test_words.py` for the rest. The words are plain and friendly, as a good assistant on the phone writes, none of
them opts a person out (`shared.config.keyword_settings`), and the letters are those of the GSM alphabet (GSM 03.38) wherever the language
allows. What the operator reads, and what the model is shown, is not here.
"""
