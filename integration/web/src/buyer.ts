// A buyer who speaks gRPC-Web, as a browser's page does: signs in, takes an offering, watches it come up,
// runs it, watches the run, reads wallet and ledger. Then what a page of another origin is told.
//
// Arguments: the gateway's URL, and the code of a sign-in link. Prints one JSON document; ends badly, with
// the reason on standard error, when anything is not as it should be.

import { Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { ErrorInfoSchema } from "../../../gen/ts/google/rpc/error_details_pb.js";
import { BillingService, LedgerEntry_Kind } from "../../../gen/ts/souk/billing/v1/billing_pb.js";
import { CatalogService } from "../../../gen/ts/souk/catalog/v1/catalog_pb.js";
import { GatewayService } from "../../../gen/ts/souk/gateway/v1/gateway_pb.js";
import { InstancesService, State as InstanceState } from "../../../gen/ts/souk/instances/v1/instances_pb.js";
import { RunnerService } from "../../../gen/ts/souk/runner/v1/runner_pb.js";
import { RunsService, State as RunState } from "../../../gen/ts/souk/runs/v1/runs_pb.js";
import { TenancyService } from "../../../gen/ts/souk/tenancy/v1/tenancy_pb.js";

declare const process: { argv: string[]; exitCode: number };

const OWN_PAGE = "http://localhost:3000";
const FOREIGN_PAGE = "https://evil.example";

function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

function text(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) => (typeof item === "bigint" ? `${item}` : item));
}

function same(left: unknown, right: unknown, what: string): void {
  check(text(left) === text(right), `${what}: ${text(left)} is not ${text(right)}`);
}

/** The refusal of a call that must be refused. */
async function refusal(call: Promise<unknown>, what: string): Promise<ConnectError> {
  try {
    await call;
  } catch (error) {
    return ConnectError.from(error);
  }
  throw new Error(`${what}: it was not refused`);
}

function reason(error: ConnectError): string {
  return error.findDetails(ErrorInfoSchema)[0]?.reason ?? "";
}

function transport(baseUrl: string, headers: Record<string, string>) {
  const shown: Interceptor = (next) => (request) => {
    for (const [name, value] of Object.entries(headers)) request.header.set(name, value);
    return next(request);
  };
  return createGrpcWebTransport({ baseUrl, useBinaryFormat: true, interceptors: [shown], defaultTimeoutMs: 60_000 });
}

type Transport = ReturnType<typeof transport>;

/** Takes an offering and watches until it is active; gives the instance and the states that were seen. */
async function activate(own: Transport, offeringVersionId: string): Promise<[string, string[]]> {
  const instances = createClient(InstancesService, own);
  const ask = { requestId: "web-activate", offeringVersionId };
  const activated = await instances.autoActivate(ask);
  same((await instances.autoActivate(ask)).instanceId, activated.instanceId, "a repeat takes nothing new");
  const seen: string[] = [];
  // Only the signal ends the stream: leaving the loop would leave the connection open.
  const enough = new AbortController();
  const request = { instanceId: activated.instanceId };
  try {
    for await (const { instance } of instances.watchInstance(request, { signal: enough.signal })) {
      if (instance === undefined) continue;
      const state = InstanceState[instance.state];
      if (seen.at(-1) !== state) seen.push(state);
      if (instance.state === InstanceState.ACTIVE) enough.abort();
    }
  } catch (error) {
    if (!enough.signal.aborted) throw error;
  }
  same(seen.at(-1), "ACTIVE", "the watch went on until it was active");
  return [activated.instanceId, seen];
}

/** Runs an instance and reads the run's events from the first on; gives what the run was charged. */
async function run(own: Transport, instanceId: string): Promise<bigint> {
  const runs = createClient(RunsService, own);
  const input = "Grüße 😀 {x}";
  const { run } = await runs.createRun({ instanceId, requestId: "web-run", input });
  check(run !== undefined, "a run came back");
  same([RunState[run.state], run.output], ["SUCCEEDED", input], "the run");
  const sequences: bigint[] = [];
  const states: string[] = [];
  for await (const { event } of runs.watchRun({ runId: run.runId, afterSequence: 0n })) {
    if (event === undefined) continue;
    sequences.push(event.sequence);
    if (event.event.case === "run") states.push(RunState[event.event.value.state]);
  }
  same(sequences, sequences.map((_, at) => BigInt(at + 1)), "events count from one without a gap");
  same([states[0], states.at(-1)], ["QUEUED", "SUCCEEDED"], "the run's first and last state");
  const later: bigint[] = [];
  for await (const { event } of runs.watchRun({ runId: run.runId, afterSequence: 1n })) {
    if (event !== undefined) later.push(event.sequence);
  }
  same(later, sequences.slice(1), "a watch goes on where it is told to");
  return run.chargedMicros;
}

/** The balance is what the trial left, and the ledger says why. */
async function settle(own: Transport, orgId: string, trial: bigint, charged: bigint): Promise<void> {
  const billing = createClient(BillingService, own);
  const { wallet } = await billing.getWallet({ orgId });
  same([wallet?.availableMicros, wallet?.reservedMicros], [trial - charged, 0n], "the wallet");
  const { ledgerEntries } = await billing.listLedgerEntries({ orgId });
  same(ledgerEntries.reduce((sum, entry) => sum + entry.amountMicros, 0n), trial - charged, "the ledger's sum");
  check(ledgerEntries.every((entry) => entry.kind !== LedgerEntry_Kind.UNSPECIFIED), "every entry has a kind");
}

/** What a call of a page is answered before it is made. */
async function preflight(url: string, origin: string): Promise<string | null> {
  const answer = await fetch(`${url}/souk.catalog.v1.CatalogService/ListOfferings`, {
    method: "OPTIONS",
    headers: {
      origin,
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization,content-type,x-grpc-web,x-user-agent,grpc-timeout",
    },
  });
  check(answer.ok, `a preflight of ${origin} is answered ${answer.status}`);
  if (origin === OWN_PAGE) {
    const allowed = (answer.headers.get("access-control-allow-headers") ?? "").toLowerCase();
    for (const name of ["authorization", "content-type", "x-grpc-web", "x-user-agent", "grpc-timeout"]) {
      check(allowed.includes(name), `${name} is allowed: ${allowed}`);
    }
    check((answer.headers.get("access-control-allow-methods") ?? "").includes("POST"), "POST is allowed");
  }
  return answer.headers.get("access-control-allow-origin");
}

/** What pages of this machine and of others may do. */
async function origins(url: string, secret: string): Promise<void> {
  same(await preflight(url, OWN_PAGE), OWN_PAGE, "a page of this machine may call");
  same(await preflight(url, FOREIGN_PAGE), null, "a foreign page may not");
  const cookie = `souk_session=${secret}`;
  const caller = (headers: Record<string, string>) =>
    createClient(TenancyService, transport(url, headers)).getCaller({});
  check((await caller({ cookie })).user !== undefined, "the cookie stands for its person");
  check((await caller({ cookie, origin: url })).user !== undefined, "and for the gateway's own pages");
  for (const origin of [FOREIGN_PAGE, OWN_PAGE, "null"]) {
    const refused = await refusal(caller({ cookie, origin }), `the cookie from ${origin}`);
    check([Code.PermissionDenied, Code.Unauthenticated].includes(refused.code), `${origin}: ${refused.message}`);
  }
}

async function buy(url: string, code: string) {
  const anonymous = transport(url, {});
  const { offerings } = await createClient(CatalogService, anonymous).listOfferings({});
  const triage = offerings.find((offering) => offering.slug === "support-triage");
  check(triage?.newestVersion !== undefined, "support-triage is offered");

  const gateway = createClient(GatewayService, anonymous);
  const signedIn = await gateway.signIn({ code });
  same(reason(await refusal(gateway.signIn({ code }), "a link's second use")), "SIGN_IN_LINK_INVALID", "reason");

  const own = transport(url, { authorization: `Bearer ${signedIn.accessToken}` });
  const workspace = await createClient(TenancyService, own).autoCreateWorkspace({ requestId: "web-workspace" });
  const [instanceId, states] = await activate(own, triage.newestVersion.offeringVersionId);
  const charged = await run(own, instanceId);
  await settle(own, workspace.orgId, workspace.walletBalanceMicros, charged);

  const unknown = "ins_00000000000000000000000000";
  const missing = await refusal(createClient(InstancesService, own).getInstance({ instanceId: unknown }), "nobody's");
  same([missing.code, reason(missing)], [Code.NotFound, "INSTANCE_NOT_FOUND"], "an unknown instance");
  for (const inner of [
    () => createClient(BillingService, own).authorize({ instanceId }),
    () => createClient(RunnerService, own).checkFlow({}),
  ]) {
    same((await refusal(inner(), "an inner method")).code, Code.Unimplemented, "an inner method does not exist");
  }
  await origins(url, signedIn.sessionSecret);
  return { instanceId, states, charged: `${charged}` };
}

const [url, code] = process.argv.slice(2);
check(url !== undefined && code !== undefined, "arguments: URL CODE");
try {
  console.log(text(await buy(url, code)));
} catch (error) {
  console.error(error);
  process.exitCode = 1;
}
