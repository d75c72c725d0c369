"""The platform's settings change only when they do."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from actors.platform import PLATFORM, ConfigurePlatform
from actors.service import RequestProbe
from events.alert import Escalation
from events.platform import PlatformSettings
from tests.deciding import Story


def configure(**settings: object) -> ConfigurePlatform:
    given = PlatformSettings.model_validate(settings)
    return ConfigurePlatform(settings=given, configuration_hash="hash")


def test_only_other_settings_are_a_fact() -> None:
    story = Story(PLATFORM)
    assert story.names(configure(receivers=("ops",))) == ["PlatformConfigured"]
    assert story.give(configure(receivers=("ops",))) == []
    assert story.names(configure(receivers=("boss",))) == ["PlatformConfigured"]
    assert story.state.settings.receivers == ("boss",)
    assert "RequestProbe" in story.declines(RequestProbe(reason="x"))


@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), 1e300, -1.0])
def test_durations_can_be_added_to_a_clock(seconds: float) -> None:
    with pytest.raises(ValidationError):
        PlatformSettings(settle_seconds=seconds)
    with pytest.raises(ValidationError):
        Escalation(wait_seconds=seconds)
