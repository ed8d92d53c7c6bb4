"""Seals the personal fields of orders under their buyer's keys; the plain text goes no further."""

import hashlib
import hmac
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from libs.contracts import common
from libs.security.vault.vault import Vault, guest_subject, subject_id
from services.channels.adapters.neutral import Fields, Whole
