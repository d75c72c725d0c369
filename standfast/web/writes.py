"""The routes that ask an entity for something; its answer comes after its commit."""

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel

from actors.alert import AcknowledgeAlert
from actors.base import Command
from actors.recovery import ApproveRecovery, CancelRecovery, RejectRecovery
from actors.runtime.commands import Answer, NoAnswerError, Outcome
from actors.runtime.letters import ReleaseEntity
from events.address import EntityAddress
from standfast.web.body import Acknowledgement, Approval, Reason, read_body
from standfast.web.dependencies import dependencies_of, identity_of
from standfast.web.parameters import Id, checked_address
from standfast.web.problems import Place, ProblemError

router = APIRouter(prefix="/api", tags=["operate"])
PATIENCE_SECONDS = 10.0
_STATUS = {Outcome.DECLINED: 409, Outcome.PARKED: 423, Outcome.INVALID: 422}


def _body(model: type[BaseModel]) -> dict[str, Any]:
    """Give a route's description of its body, which it reads itself."""
    schema = model.model_json_schema()
    return {"requestBody": {"content": {"application/json": {"schema": schema}}}}


@router.post("/alerts/{name:path}/acknowledge", openapi_extra=_body(Acknowledgement))
async def acknowledge_alert(request: Request, name: Id) -> dict[str, Any]:
    """Take an alert: it is not told again while it fires."""
    body = await read_body(request, Acknowledgement)
    command = AcknowledgeAlert(by=_who(request, body.by), comment=body.comment)
    return await _send(request, checked_address(f"alert/{name}"), command)


@router.post("/recoveries/{name:path}/approve", openapi_extra=_body(Approval))
async def approve_recovery(request: Request, name: Id) -> dict[str, Any]:
    """Allow a recovery that waits for approval."""
    body = await read_body(request, Approval)
    command = ApproveRecovery(by=_who(request, body.by))
    return await _send(request, checked_address(f"recovery/{name}"), command)


@router.post("/recoveries/{name:path}/reject", openapi_extra=_body(Reason))
async def reject_recovery(request: Request, name: Id) -> dict[str, Any]:
    """Refuse a recovery that waits for approval."""
    body = await read_body(request, Reason)
    command = RejectRecovery(by=_who(request, body.by), reason=body.reason)
    return await _send(request, checked_address(f"recovery/{name}"), command)


@router.post("/recoveries/{name:path}/cancel", openapi_extra=_body(Reason))
async def cancel_recovery(request: Request, name: Id) -> dict[str, Any]:
    """Stop a recovery before its next step."""
    body = await read_body(request, Reason)
    command = CancelRecovery(by=_who(request, body.by), reason=body.reason)
    return await _send(request, checked_address(f"recovery/{name}"), command)


@router.post("/entities/{kind}/{name:path}/release", openapi_extra=_body(Reason))
async def release_entity(request: Request, kind: str, name: Id) -> dict[str, Any]:
    """Release an entity from quarantine; its history is read again."""
    body = await read_body(request, Reason)
    command = ReleaseEntity(reason=body.reason or "released by a person")
    return await _send(request, checked_address(f"{kind}/{name}"), command)


def _who(request: Request, by: str) -> str:
    """Give who is said to do it: whoever is named, or else who asks."""
    identity = identity_of(request)
    assert identity is not None, "the guard lets nobody write unknown"
    return by.strip() or identity.principal


async def _send(request: Request, entity: EntityAddress, command: Command) -> dict[str, Any]:
    identity = identity_of(request)
    assert identity is not None, "the guard lets nobody write unknown"
    client = dependencies_of(request).commands(identity)
    try:
        answer = await client.send(entity, command, patience_seconds=PATIENCE_SECONDS)
    except NoAnswerError as error:
        detail = f"{error}; whether it was done shows in the entity's events"
        raise ProblemError(503, detail, headers={"Retry-After": "5"}) from None
    return _content(entity, answer)


def _content(entity: EntityAddress, answer: Answer) -> dict[str, Any]:
    if not answer.accepted:
        place = Place("path", "name", answer.message)
        detail = answer.message or f"{entity} answered {answer.outcome}"
        raise ProblemError(_STATUS.get(answer.outcome, 409), detail, [place])
    return {"entity": str(entity), "outcome": str(answer.outcome), "sequence": answer.sequence}
