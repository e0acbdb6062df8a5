// Calls the server as any client of the service does: signed with the account key, nothing beside the protocol.

const NEEDS_QUERY_PLAN = "1004"; // only a client that merges what several partition keys have found can run it

export class Account {
  constructor(endpoint, key) {
    this.endpoint = endpoint.replace(/\/$/, "");
    this.key = Uint8Array.from(atob(key), (character) => character.charCodeAt(0));
  }

  async signature(verb, type, link, date) {
    const secret = await crypto.subtle.importKey("raw", this.key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
    const text = `${verb.toLowerCase()}\n${type}\n${link}\n${date.toLowerCase()}\n\n`;
    const digest = await crypto.subtle.sign("HMAC", secret, new TextEncoder().encode(text));
    const base64 = btoa(String.fromCharCode(...new Uint8Array(digest)));
    return encodeURIComponent(`type=master&ver=1.0&sig=${base64}`);
  }

  // `segments` are the parts of the path, not yet encoded; a list is signed under its parent's link.
  async call(verb, segments, headers = {}, body = undefined) {
    const date = new Date().toUTCString();
    const isList = segments.length % 2 === 1;
    const type = isList ? segments.at(-1) : segments.at(-2);
    const link = (isList ? segments.slice(0, -1) : segments).join("/");
    const answer = await fetch(`${this.endpoint}/${segments.map(encodeURIComponent).join("/")}`, {
      method: verb,
      headers: {
        authorization: await this.signature(verb, type, link, date),
        "x-ms-date": date,
        "x-ms-version": "2020-07-15",
        ...headers,
      },
      body,
    });
    const content = await answer.text();
    const value = content ? JSON.parse(content) : null;
    if (answer.headers.get("x-ms-substatus") === NEEDS_QUERY_PLAN) {
      throw new Error("This query cannot be run over several partition keys here: give a partition key.");
    }
    if (!answer.ok) throw new Error(value?.message ?? `${answer.status}`);
    return { value, charge: answer.headers.get("x-ms-request-charge"), next: answer.headers.get("x-ms-continuation") };
  }

  async databases() {
    return (await this.call("GET", ["dbs"])).value.Databases;
  }

  async containers(database) {
    return (await this.call("GET", ["dbs", database, "colls"])).value.DocumentCollections;
  }

  // `key` is the text of the partition key as JSON, or empty for a query over all.
  async query(database, container, text, key, continuation) {
    const headers = {
      "content-type": "application/query+json",
      "x-ms-documentdb-isquery": "true",
      "x-ms-max-item-count": "50",
    };
    if (key.trim()) headers["x-ms-documentdb-partitionkey"] = keyHeader(key);
    else headers["x-ms-documentdb-query-enablecrosspartition"] = "true";
    if (continuation) headers["x-ms-continuation"] = continuation;
    const body = JSON.stringify({ query: text, parameters: [] });
    return this.call("POST", ["dbs", database, "colls", container, "docs"], headers, body);
  }
}

// A header is ASCII: whatever else is in the key goes as \uXXXX, which means the same in JSON.
function keyHeader(text) {
  let key;
  try {
    key = JSON.parse(text);
  } catch {
    throw new Error('The partition key is not JSON: a text has quotes around it, as "value".');
  }
  return JSON.stringify(Array.isArray(key) ? key : [key]).replace(
    /[^ -~]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
