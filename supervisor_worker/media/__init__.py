"""What came along with a message: where it may be fetched from, by what way, and what of it the model may be shown."""
