"""Keys of one experiment, made fresh."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class KeyPair:
    """A CURVE key pair as Z85 text; the secret half is never shown."""

    public: str
    secret: str = field(repr=False)

    @classmethod
    def fresh(cls) -> KeyPair:
        import zmq

        public, secret = zmq.curve_keypair()
        return cls(public.decode(), secret.decode())
