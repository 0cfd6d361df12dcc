"""A buyer who knows nothing of souk but its address and a sign-in code.

Every service and message is learned by reflection from the public port. The buyer signs in, takes an
offering, watches it come up, runs it, watches the run and reads wallet and ledger; then looks for what must
not be there. Prints one JSON document; ends badly when anything is not as it should be.
"""

import json
import sys

import grpc
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

MAX_SECONDS = 60


def same(left, right, what):
    if left != right:
        raise AssertionError(f"{what}: {left!r} is not {right!r}")


def status_classes():
    """google.rpc.Status and ErrorInfo, as their numbers are fixed for everybody."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="buyer/status.proto", package="buyer", syntax="proto3")
    file.dependency.append(any_pb2.DESCRIPTOR.name)
    status = file.message_type.add(name="Status")
    status.field.add(name="code", number=1, type=field.TYPE_INT32, label=field.LABEL_OPTIONAL)
    status.field.add(name="message", number=2, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    status.field.add(
        name="details",
        number=3,
        type=field.TYPE_MESSAGE,
        type_name=".google.protobuf.Any",
        label=field.LABEL_REPEATED,
    )
    info = file.message_type.add(name="ErrorInfo")
    info.field.add(name="reason", number=1, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    info.field.add(name="domain", number=2, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(any_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return [message_factory.GetMessageClass(pool.FindMessageTypeByName(f"buyer.{name}")) for name in ("Status", "ErrorInfo")]


def error_info(error):
    """Reason and domain of a refusal."""
    status_class, info_class = status_classes()
    trailers = dict(error.trailing_metadata() or ())
    status = status_class.FromString(trailers["grpc-status-details-bin"])
    for detail in status.details:
        if detail.type_url.endswith("/google.rpc.ErrorInfo"):
            info = info_class.FromString(detail.value)
            return info.reason, info.domain
    raise AssertionError(f"no ErrorInfo in {status}")


class Door:
    """The public port, as its reflection describes it."""

    def __init__(self, address):
        self.channel = grpc.insecure_channel(address)
        self.reflected = ProtoReflectionDescriptorDatabase(self.channel)
        self.pool = descriptor_pool.DescriptorPool(self.reflected)
        self.token = None

    def services(self):
        return sorted(self.reflected.get_services())

    def methods(self, service):
        return sorted(method.name for method in self.pool.FindServiceByName(service).methods)

    def call(self, name, **fields):
        """Calls `package.Service/Method`; a stream comes back as an iterator."""
        service, method = name.split("/")
        method = self.pool.FindServiceByName(service).FindMethodByName(method)
        ask = message_factory.GetMessageClass(method.input_type)
        answer = message_factory.GetMessageClass(method.output_type)
        kind = self.channel.unary_stream if method.server_streaming else self.channel.unary_unary
        stub = kind(f"/{name}", request_serializer=ask.SerializeToString, response_deserializer=answer.FromString)
        metadata = [("authorization", f"Bearer {self.token}")] if self.token else []
        return stub(ask(**fields), metadata=metadata, timeout=MAX_SECONDS)

    def blind(self, path):
        """Calls a method that reflection does not show, with an empty message."""
        stub = self.channel.unary_unary(path, request_serializer=bytes, response_deserializer=bytes)
        return stub(b"", metadata=[("authorization", f"Bearer {self.token}")], timeout=MAX_SECONDS)

    def name_of(self, enum, number):
        return self.pool.FindEnumTypeByName(enum).values_by_number[number].name


def refusal(call, *arguments, **fields):
    """The error of a call that must be refused."""
    try:
        call(*arguments, **fields)
    except grpc.RpcError as error:
        return error
    raise AssertionError(f"{arguments} was not refused")


def inner_methods_are_not_there(door):
    services = door.services()
    for service in ("souk.delivery.v1.DeliveryService", "souk.events.v1.EventsService"):
        same(service in services, False, f"{service} is listed")
    shown = [f"/{service}/{method}" for service in services if service.startswith("souk.") for method in door.methods(service)]
    inner = [
        "/souk.billing.v1.BillingService/Authorize",
        "/souk.billing.v1.BillingService/TopUp",
        "/souk.catalog.v1.CatalogService/ResolvePlan",
        "/souk.runner.v1.RunnerService/Execute",
        "/souk.tenancy.v1.TenancyService/ResolvePrincipal",
        "/souk.nobody.v1.NobodyService/Nothing",
    ]
    for path in inner:
        same(path in shown, False, f"{path} is shown")
        same(refusal(door.blind, path).code(), grpc.StatusCode.UNIMPLEMENTED, path)
    return shown


def take(door, offering_version_id):
    """Takes an offering and watches until it is active."""
    fields = {"request_id": "py-activate", "offering_version_id": offering_version_id}
    instance_id = door.call("souk.instances.v1.InstancesService/AutoActivate", **fields).instance_id
    states = []
    watch = door.call("souk.instances.v1.InstancesService/WatchInstance", instance_id=instance_id)
    for answer in watch:
        if not answer.HasField("instance"):
            continue
        states.append(door.name_of("souk.instances.v1.State", answer.instance.state))
        if states[-1] == "STATE_ACTIVE":
            break
    watch.cancel()
    same(states[-1:], ["STATE_ACTIVE"], "the watch went on until it was active")
    return instance_id, states


def run(door, instance_id):
    """Runs it and reads the run's events from the first on."""
    text = "my parcel is late – wo bleibt es? {x}"
    fields = {"instance_id": instance_id, "request_id": "py-run", "input": text}
    made = door.call("souk.runs.v1.RunsService/CreateRun", **fields).run
    same(door.name_of("souk.runs.v1.State", made.state), "STATE_SUCCEEDED", "the run")
    same(made.output, text, "the echo")
    same(door.call("souk.runs.v1.RunsService/CreateRun", **fields).run.run_id, made.run_id, "a repeat is the same run")
    events = [
        answer.event
        for answer in door.call("souk.runs.v1.RunsService/WatchRun", run_id=made.run_id, after_sequence=0)
        if answer.HasField("event")
    ]
    same([event.sequence for event in events], list(range(1, len(events) + 1)), "events without a gap")
    same(door.name_of("souk.runs.v1.State", events[-1].run.state), "STATE_SUCCEEDED", "the last event")
    fields["input"] = "something else"
    reused = refusal(door.call, "souk.runs.v1.RunsService/CreateRun", **fields)
    same((reused.code(), error_info(reused)[0]), (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED"), "another run")
    return made.charged_micros


def main(address, code):
    door = Door(address)
    health = health_pb2_grpc.HealthStub(door.channel).Check(health_pb2.HealthCheckRequest(), timeout=MAX_SECONDS)
    same(health.status, health_pb2.HealthCheckResponse.SERVING, "health")
    nobody = refusal(door.call, "souk.tenancy.v1.TenancyService/GetCaller")
    same((nobody.code(), error_info(nobody)[0]), (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_MISSING"), "nobody")

    offerings = door.call("souk.catalog.v1.CatalogService/ListOfferings").offerings
    version = {offering.slug: offering.newest_version for offering in offerings}["support-triage"]
    door.token = door.call("souk.gateway.v1.GatewayService/SignIn", code=code).access_token
    twice = refusal(door.call, "souk.gateway.v1.GatewayService/SignIn", code=code)
    same(error_info(twice)[0], "SIGN_IN_LINK_INVALID", "a link's second use")

    workspace = door.call("souk.tenancy.v1.TenancyService/AutoCreateWorkspace", request_id="py-workspace")
    instance_id, states = take(door, version.offering_version_id)
    charged = run(door, instance_id)
    left = workspace.wallet_balance_micros - charged
    wallet = door.call("souk.billing.v1.BillingService/GetWallet", org_id=workspace.org_id).wallet
    same((wallet.available_micros, wallet.reserved_micros), (left, 0), "the wallet")
    entries = door.call("souk.billing.v1.BillingService/ListLedgerEntries", org_id=workspace.org_id).ledger_entries
    same(sum(entry.amount_micros for entry in entries), left, "the ledger's sum")

    unknown = "ins_00000000000000000000000000"
    missing = refusal(door.call, "souk.instances.v1.InstancesService/GetInstance", instance_id=unknown)
    same(missing.code(), grpc.StatusCode.NOT_FOUND, "an unknown instance")
    same(error_info(missing), ("INSTANCE_NOT_FOUND", "instances.souk"), "why")
    shown = inner_methods_are_not_there(door)
    print(json.dumps({"instanceId": instance_id, "states": states, "charged": str(charged), "methods": shown}))


if __name__ == "__main__":
    main(*sys.argv[1:])
