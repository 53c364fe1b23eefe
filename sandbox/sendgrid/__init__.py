"""SendGrid, played."""
