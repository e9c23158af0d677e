"""COPY streams: their rows cut out of chunks, the values of protected columns sealed or opened, put back."""
