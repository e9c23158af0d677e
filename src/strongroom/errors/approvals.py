"""Approval by several people: what is missing, does not fit, or is too late."""

from strongroom.errors.setup import ConfigError


class ApprovalError(ConfigError):
    """What several people must sign was not signed, or not so; never raised itself."""

    code = "approval"


class ApprovalNeeded(ApprovalError):
    """The act was not done: a request was written, for people to sign."""

    code = "approval-needed"
    remedy = "Have it signed, and run the command again with --approval FILE."


class ApprovalIncomplete(ApprovalError):
    """Fewer people than needed have signed the request."""

    code = "approval-incomplete"
    remedy = "Have others sign it; `strongroom keys approvals show FILE` says who has."


class ApprovalMismatch(ApprovalError):
    """The request is for another act, or for another state."""

    code = "approval-mismatch"
    remedy = "Run the command without --approval: it writes a request for what is asked now."


class ApprovalExpired(ApprovalError):
    """The request holds no longer, or not yet."""

    code = "approval-expired"
    remedy = "Run the command without --approval for another request; it lasts a day."


class ApprovalUsed(ApprovalError):
    """What was signed has been done already: one request is for one act."""

    code = "approval-used"
    remedy = "Run the command without --approval for another request."


class ApprovalRequestInvalid(ApprovalError):
    """The file is no request, or was changed."""

    code = "approval-request"
    remedy = "Take the file as it was written: an editor that changes its lines makes it another."


class ApprovalsWeakened(ApprovalError):
    """The configuration asks for fewer approvals than this state has on record."""

    code = "approvals-weakened"
    remedy = "Put the lines back, or have the people on record sign: strongroom keys approvals change"


class SignatureInvalid(ApprovalError):
    """A signature or public key of SSH that is none, is damaged, or was made over something else."""

    code = "signature-invalid"
    remedy = "Sign the file as it is: ssh-keygen -Y sign -n strongroom-approval -f KEY FILE"
