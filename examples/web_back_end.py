"""A web back end that shows the conversations of every account.

    pip install conversations-hub fastapi uvicorn
    uvicorn --app-dir examples web_back_end:app

GET /conversations?limit=20     the newest of all accounts, without transcripts
GET /conversation?ref=vapi:…    one, with its transcript
GET /transcript?ref=vapi:…      the same as plain text

The accounts are those of the environment. A failed request is answered with a problem document (RFC 9457).
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, FastAPI, Query, Response
from fastapi.responses import PlainTextResponse

from conversations_hub import Conversation, Hub
from conversations_hub.errors import HubError
from conversations_hub.serve import hub_lifespan, hub_of, problems

app = FastAPI(title="Our conversations", lifespan=hub_lifespan(Hub.from_env))
app.add_middleware(problems)

TheHub = Annotated[Hub, Depends(hub_of)]


@app.get("/conversations")
async def newest(
    hub: TheHub, response: Response, limit: Annotated[int, Query(ge=1, le=100)] = 20
) -> list[Conversation]:
    """List the newest conversations; the header X-Missing names accounts that did not answer in time."""
    failed: list[HubError] = []
    walk = hub.list(limit=limit, timeout=10, on_error=failed.append)
    found = [conversation async for conversation in walk]
    if failed:
        response.headers["X-Missing"] = ", ".join(f"{error.provider}/{error.account}" for error in failed)
    return found


@app.get("/conversation")
async def conversation(hub: TheHub, ref: str) -> Conversation:
    """Get one conversation; wait a little if its transcript is about to be ready."""
    return await hub.get(ref, wait=5, timeout=20)


@app.get("/transcript")
async def transcript(hub: TheHub, ref: str) -> PlainTextResponse:
    """Get one conversation as text for people."""
    found = await hub.get(ref, timeout=20)
    return PlainTextResponse(found.render())
