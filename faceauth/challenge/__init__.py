"""Challenges ask for something random in front of the camera, which a recording cannot know. Sessions and built-ins."""

from faceauth.challenge.challenge_session import ChallengeResult, ChallengeSession, ChallengeStatus

__all__ = ["ChallengeResult", "ChallengeSession", "ChallengeStatus"]
