"""`protect` and `unprotect`: a column takes another form beside the live table, then the two are swapped."""
