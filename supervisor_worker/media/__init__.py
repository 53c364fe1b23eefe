"""What came along with a text: where it may be fetched from, by what way, and whether it is a picture to be shown to the model."""
