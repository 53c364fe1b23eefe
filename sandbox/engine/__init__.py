"""What all providers of the sandbox share: requests, faults, the journal, webhooks, and what Twilio stores."""
