"""Where the audit log goes beside its folder: a bucket that nobody can change, files of lines, syslog.

Each sink sends what is new when it is told to, and says what it could not; ``gateway/shipping.py`` has one
thread for each, beside the log's writer. A sink takes from the log's folder what a checkpoint covers, so that
nothing waits for it: while it cannot send, the folder holds what is to come.
"""
