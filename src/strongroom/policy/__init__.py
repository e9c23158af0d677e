"""Who may do what to which columns, decided by roles of the configuration and by Cedar; pure.

`model` has the words, `roles` a policy as it was written, `cedar` compiles it, `authorizer` decides.
"""
