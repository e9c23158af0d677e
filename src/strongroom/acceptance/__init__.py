"""What was accepted under ``protection:``, so that what protects less is known for it, and who signed it."""
