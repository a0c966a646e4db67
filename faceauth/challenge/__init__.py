"""Something random to do before the camera, which a recording cannot know: sessions, and the built-in challenges."""

from faceauth.challenge.challenge_session import ChallengeResult, ChallengeSession, ChallengeStatus

__all__ = ["ChallengeResult", "ChallengeSession", "ChallengeStatus"]
