"""Tests of cloud functions against an mlemu of their own."""

from .client import Answer, Clock, Mlemu, MlemuError, NotSettled

__all__ = ["Answer", "Clock", "Mlemu", "MlemuError", "NotSettled"]
