// The look-up of a profile. The token stays in its field: it is stored nowhere.

const lookup = byId("lookup");

function showLookup(on) {
  show(lookup, on);
  setText(byId("lookup-hint"), on
    ? "Reads from Redis what the profile of a user holds now. The token is in admin.token_file; "
      + "this page keeps it only as long as it is open."
    : "The look-up is off. To turn it on, set profile_lookup and token_file in [admin], and start "
      + "the worker again.");
}

function showProfile({ key, fields, ttl_seconds: ttl }) {
  const pairs = Object.entries(fields);
  const rows = pairs.map(([field, value]) => [field, { text: value, kind: "value" }]);
  fillTable(byId("profile"), rows);
  const length = pairs.length === 1 ? "1 field" : `${count(pairs.length)} fields`;
  const expires = ttl === null ? "It does not expire." : `It expires in ${lasting(ttl)}.`;
  return `${key} has ${length}. ${expires}`;
}

// Why a look-up was refused, in the worker's words where it has some.
async function refusal(answer) {
  const body = await answer.json().catch(() => null);
  const said = body?.message ?? `the worker answered ${answer.status}`;
  return `${said[0].toUpperCase()}${said.slice(1)}.`;
}

async function lookUp() {
  const asked = new URLSearchParams({ user_id: byId("lookup-user").value });
  const prefix = byId("lookup-prefix").value;
  if (prefix !== "") asked.set("prefix", prefix);
  const answer = await fetch(`api/profile?${asked}`, {
    cache: "no-store",
    headers: { Authorization: `Bearer ${byId("lookup-token").value}` },
    signal: AbortSignal.timeout(10_000),
  });
  return answer.ok ? showProfile(await answer.json()) : refusal(answer);
}

lookup.addEventListener("submit", async (event) => {
  event.preventDefault();
  show(byId("lookup-result"), false);
  setText(byId("lookup-said"), "Looking it up.");
  setText(byId("lookup-said"), await lookUp().catch(() => "The worker does not answer."));
});
