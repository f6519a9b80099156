"""The AWS provider of the Pulumi engine, on the embedded AWS: `local.provider`, served as a plugin.

For each resource, the engine asks whether its inputs are valid (Check), what has changed (Diff), and to
create, read, update or delete it. AWS's own environment variables name the emulator and the key to use.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
from botocore.exceptions import BotoCoreError, ClientError
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from local import LocalError
from local.aws import AccessKey, Aws
from local.emulator.process import HOST
from local.engine import plugin_server
from local.property_values import (
    UNKNOWN,
    Properties,
    changed,
    from_struct,
    is_same,
    paths_to,
    plain,
    public,
    to_struct,
)
from local.provider import provider
from local.provider.resource_types import Created, Existing

ENDPOINT, CA_BUNDLE = "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE"
KEY_ID, KEY = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"
VARIABLES = (ENDPOINT, CA_BUNDLE, KEY_ID, KEY)

_PropertyDiff = provider_pb2.PropertyDiff
_KINDS = {
    "add": (_PropertyDiff.ADD, _PropertyDiff.ADD_REPLACE),
    "delete": (_PropertyDiff.DELETE, _PropertyDiff.DELETE_REPLACE),
    "update": (_PropertyDiff.UPDATE, _PropertyDiff.UPDATE_REPLACE),
}
"""The engine's words for a change in place, and for one that replaces the resource."""


def embedded_aws(environment: Mapping[str, str], region: str) -> Aws:
    """Return the embedded AWS that the environment names, in one of its regions.

    Raises:
        LocalError: a variable is missing, or the endpoint isn't on this machine. This provider isn't made for
            the real AWS.

    """
    missing = sorted(name for name in VARIABLES if not environment.get(name))
    if missing:
        raise LocalError(f"the embedded AWS cannot be reached: the environment lacks {', '.join(missing)}")
    if urlsplit(environment[ENDPOINT]).hostname != HOST:
        raise LocalError(
            f"{ENDPOINT} is {environment[ENDPOINT]!r}; allowed: an address on {HOST}, "
            "since this provider makes resources only on the embedded AWS"
        )
    return Aws(
        endpoint_url=environment[ENDPOINT],
        region=region,
        ca_bundle=Path(environment[CA_BUNDLE]),
        key=AccessKey(
            id=environment[KEY_ID],
            secret=environment[KEY],
            token=environment.get("AWS_SESSION_TOKEN") or None,
        ),
    )


class AwsPlugin(provider_pb2_grpc.ResourceProviderServicer):
    """The engine's view of the embedded AWS. Calls come from many threads; it keeps only the clients."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._aws: Aws | None = None

    @property
    def aws(self) -> Aws:
        """The clients, which `Configure` makes."""
        if self._aws is None:
            raise LocalError("the provider was not configured")
        return self._aws

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:
        return provider_pb2.ProviderHandshakeResponse(
            accept_secrets=True, accept_resources=False, accept_outputs=False
        )

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        return plugin_pb2.PluginInfo(version=importlib.metadata.version("pulumi-aws"))

    def GetSchema(self, request: Any, context: grpc.ServicerContext) -> Any:
        version = importlib.metadata.version("pulumi-aws")
        return provider_pb2.GetSchemaResponse(schema=json.dumps({"name": "aws", "version": version}))

    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: grpc.ServicerContext) -> Any:
        with _failures_reported(context):
            settings = plain(from_struct(request.args))
            if not settings.get("region"):
                raise LocalError("aws:region is not set: pulumi config set aws:region us-east-1")
            aws = embedded_aws(self._environment, settings["region"])
            _check_account(aws, settings.get("allowedAccountIds"))
            self._aws = aws
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, acceptResources=False, acceptOutputs=False
        )

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> Any:
        with _failures_reported(context):
            answer = provider.call(self.aws, request.tok, plain(public(from_struct(request.args))))
        return provider_pb2.InvokeResponse(**{"return": to_struct(answer)})

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            provider.check(_type(request.urn), _name(request.urn), plain(public(from_struct(request.news))))
        except LocalError as error:
            failure = provider_pb2.CheckFailure(reason=str(error))
            return provider_pb2.CheckResponse(inputs=request.news, failures=[failure])
        return provider_pb2.CheckResponse(inputs=request.news)

    def Diff(self, request: Any, context: grpc.ServicerContext) -> Any:
        old, new = from_struct(request.old_inputs), from_struct(request.news)
        with _failures_reported(context, request.urn):
            names = changed(old, new)
            replacing = provider.replaced_by(_type(request.urn), names)
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME if names else provider_pb2.DiffResponse.DIFF_NONE,
            diffs=names,
            replaces=replacing,
            hasDetailedDiff=True,
            detailedDiff={
                name: _PropertyDiff(kind=_KINDS[_change(name, old, new)][name in replacing], inputDiff=True)
                for name in names
            },
        )

    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:
        inputs = from_struct(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(properties=request.properties)
        with _failures_reported(context, request.urn):
            made = self.create(_type(request.urn), _name(request.urn), _known(inputs))
        return provider_pb2.CreateResponse(id=made.id, properties=to_struct({**inputs, **made.outputs}))

    def create(self, type_: str, name: str, inputs: Properties) -> Created:
        """Make a resource. A test replaces this to make it fail."""
        return provider.create(self.aws, type_, name, inputs)

    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:
        inputs, outputs = from_struct(request.inputs), from_struct(request.properties)
        with _failures_reported(context, request.urn):
            if not inputs:
                raise LocalError("importing an existing resource is not possible on the embedded AWS")
            existing = _existing(request.id, inputs, outputs)
            found = provider.read(self.aws, _type(request.urn), existing)
        if found is None:
            return provider_pb2.ReadResponse()  # no id: it is gone
        now = _as_they_were(inputs, existing.inputs, found)
        lost = set(inputs) - set(now)
        kept = {name: value for name, value in outputs.items() if name not in lost}
        return provider_pb2.ReadResponse(
            id=request.id, inputs=to_struct(now), properties=to_struct({**kept, **now})
        )

    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:
        old, new = from_struct(request.old_inputs), from_struct(request.news)
        outputs = from_struct(request.olds)
        kept = {name: value for name, value in outputs.items() if name in new or name not in old}
        if request.preview:
            return provider_pb2.UpdateResponse(properties=to_struct({**kept, **new}))
        with _failures_reported(context, request.urn):
            decided = provider.update(
                self.aws,
                _type(request.urn),
                _name(request.urn),
                _existing(request.id, old, outputs),
                _known(new),
            )
        return provider_pb2.UpdateResponse(properties=to_struct({**kept, **new, **decided}))

    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:
        inputs, outputs = from_struct(request.old_inputs), from_struct(request.properties)
        with _failures_reported(context, request.urn):
            provider.delete(self.aws, _type(request.urn), _existing(request.id, inputs, outputs))
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:
        return empty_pb2.Empty()

    def Attach(self, request: Any, context: grpc.ServicerContext) -> Any:
        return empty_pb2.Empty()

    def GetMapping(self, request: Any, context: grpc.ServicerContext) -> Any:
        return provider_pb2.GetMappingResponse()

    def GetMappings(self, request: Any, context: grpc.ServicerContext) -> Any:
        return provider_pb2.GetMappingsResponse()


@contextmanager
def _failures_reported(context: grpc.ServicerContext, urn: str = "") -> Iterator[None]:
    """Tell the engine about a failure in one sentence, which it prints beside the resource."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 (the engine would print the stack of anything else)
        known = isinstance(error, LocalError | BotoCoreError | ClientError)
        text = str(error) if known else f"{type(error).__name__}: {error}"
        label = _label(urn) if urn else ""
        # The provider has named the resource already.
        named = text if text.startswith(label) else f"{label}: {text}"
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, named)


def _check_account(aws: Aws, allowed: Any) -> None:
    """Refuse an account that ``aws:allowedAccountIds`` doesn't name, as pulumi-aws does."""
    if not allowed:
        return
    accounts = [str(each) for each in (json.loads(allowed) if isinstance(allowed, str) else allowed)]
    account = aws.account_id()
    if account not in accounts:
        raise LocalError(
            f"AWS account {account} is not allowed; aws:allowedAccountIds: {', '.join(accounts)}"
        )


def _existing(id_: str, inputs: Properties, outputs: Properties) -> Existing:
    return Existing(id=id_, inputs=plain(public(inputs)), outputs=plain(public(outputs)))


def _known(inputs: Properties) -> Properties:
    """Return plain inputs, all of which are known once the preview is over."""
    values: Properties = plain(public(inputs))
    missing = sorted(paths_to(UNKNOWN, values))
    if missing:
        raise LocalError(f"{', '.join(missing)} is not known")
    return values


def _as_they_were(marked: Properties, before: Mapping[str, Any], found: Mapping[str, Any]) -> Properties:
    """Write found values as the engine did, with its marks and own properties, wherever the two are equal."""
    own = {name: value for name, value in marked.items() if name.startswith("__")}
    return own | {
        # An unchanged archive is the very object that was passed in.
        name: marked[name] if name in before and (before[name] is now or is_same(before[name], now)) else now
        for name, now in found.items()
    }


def _change(name: str, old: Properties, new: Properties) -> str:
    if name not in old:
        return "add"
    return "update" if name in new else "delete"


def _type(urn: str) -> str:
    """Return the resource's type in a URN (``urn:pulumi:STACK::PROJECT::PARENTS$TYPE::NAME``)."""
    return urn.split("::")[2].rpartition("$")[2]


def _name(urn: str) -> str:
    return urn.split("::", 3)[3]


def _label(urn: str) -> str:
    return f"{_type(urn)} {_name(urn)!r}"


def main(make: Callable[[Mapping[str, str]], AwsPlugin] = AwsPlugin) -> None:
    """Serve the engine that started this process."""
    plugin_server.serve(
        lambda server: provider_pb2_grpc.add_ResourceProviderServicer_to_server(make(os.environ), server)
    )


if __name__ == "__main__":
    main()
