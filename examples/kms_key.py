"""A master key that never leaves a KMS: ``Gallery(path, KmsKey(boto3.client("kms", config=TIMEOUTS), "arn:aws:..."))``.

The client is that of AWS KMS, or like it; ``TIMEOUTS = botocore.config.Config(connect_timeout=2, read_timeout=2)``.
"""

from typing import Any

from faceauth.errors import KeyRefused


class KmsKey:
    """A ``faceauth.gallery.MasterKey``. What else the client raises means that nobody is let in until it answers."""

    def __init__(self, client: Any, key_id: str) -> None:
        self.key_id = key_id  # of one key, since an alias may stand for another one tomorrow
        self._client = client

    def wrap(self, data_key: bytes, context: bytes) -> bytes:
        """``data_key``, encrypted by the KMS, together with ``context``."""
        bound = {"faceauth": context.decode()}
        return bytes(
            self._client.encrypt(KeyId=self.key_id, Plaintext=data_key, EncryptionContext=bound)["CiphertextBlob"]
        )

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """What was wrapped."""
        bound = {"faceauth": context.decode()}
        refusals = (self._client.exceptions.InvalidCiphertextException, self._client.exceptions.IncorrectKeyException)
        if not wrapped or not context:  # no client takes them
            raise KeyRefused("There is no data key to unwrap.")
        try:
            return bytes(
                self._client.decrypt(KeyId=self.key_id, CiphertextBlob=wrapped, EncryptionContext=bound)["Plaintext"]
            )
        except refusals:
            raise KeyRefused(f"The key {self.key_id} does not open this data key.") from None
