"""The people who may log in: enrolment, sealed templates, attempts and an audit log. Needs the extra ``login``."""

import faceauth.gallery.installed  # noqa: F401  # first: it says which extra is missing
from faceauth.gallery.attempts import Session, open_session, reset_attempts
from faceauth.gallery.authentication import Identification, answer, identify, login
from faceauth.gallery.database_search import DatabaseIndex
from faceauth.gallery.enrolment import Enrolment, RefusedImage, enroll
from faceauth.gallery.master_keys import LocalKey, MasterKey
from faceauth.gallery.opened import Gallery
from faceauth.gallery.rekeying import change_master_key, rekey
from faceauth.gallery.restoring import accept_restored
from faceauth.gallery.search import Index
from faceauth.gallery.subjects import (
    Subject,
    add_subject,
    delete_subject,
    export_subject,
    find_subject,
    list_subjects,
    outdated_subjects,
    purge_expired,
)

__all__ = [
    "DatabaseIndex",
    "Enrolment",
    "Gallery",
    "Identification",
    "Index",
    "LocalKey",
    "MasterKey",
    "RefusedImage",
    "Session",
    "Subject",
    "accept_restored",
    "add_subject",
    "answer",
    "change_master_key",
    "delete_subject",
    "enroll",
    "export_subject",
    "find_subject",
    "identify",
    "list_subjects",
    "login",
    "open_session",
    "outdated_subjects",
    "purge_expired",
    "rekey",
    "reset_attempts",
]
