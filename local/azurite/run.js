// Runs Azurite as a child of the local stack: says when it is ready, ends with its parent, and keeps what it acknowledged.
//
// node run.js <folder that has node_modules/azurite> --blobPort N --queuePort N --tablePort N --location DIR …
"use strict";

const http = require("http");
const net = require("net");
const path = require("path");

const [tools, ...azuriteArguments] = process.argv.slice(2);
const modules = path.join(path.resolve(tools), "node_modules");

acknowledgeOnlyWhatIsSaved(require(path.join(modules, "lokijs")));
endWithParent();
process.argv = [process.argv[0], path.join(modules, "azurite", "dist", "src", "azurite.js"), ...azuriteArguments];
require(process.argv[1]);
sayReady(["--blobPort", "--queuePort", "--tablePort"].map((name) => Number(valueOf(name))));

/**
 * Azurite keeps its metadata in memory and saves it every five seconds, so that a kill loses blobs and messages that it
 * has acknowledged; Azure does not. Here the answer to whatever changes something waits until that is in its file.
 */
function acknowledgeOnlyWhatIsSaved(Loki) {
  const databases = new Set();
  const configure = Loki.prototype.configureOptions; // which every database calls when it is made
  Loki.prototype.configureOptions = function (...given) {
    databases.add(this);
    return configure.apply(this, given);
  };
  const end = http.ServerResponse.prototype.end;
  http.ServerResponse.prototype.end = function (...given) {
    const reading = this.req && (this.req.method === "GET" || this.req.method === "HEAD");
    if (reading) return end.apply(this, given);
    Promise.all([...databases].map(saved)).then(
      () => end.apply(this, given),
      (error) => {
        console.error(`cannot save: ${error.message}`);
        this.destroy(error); // not acknowledged: the client tries again
      },
    );
    return this;
  };
}

function saved(database) {
  return new Promise((resolve, reject) => {
    // A save that is under way may have begun before this change; Loki then saves once more before it calls back.
    if (!database.autosaveDirty() && !database.throttledSavePending) return resolve();
    database.saveDatabase((error) => (error ? reject(error) : resolve()));
  });
}

/** The parent holds our standard input open: at its end the parent is gone. */
function endWithParent() {
  const stop = () => setTimeout(() => process.exit(0), 3000).unref(); // idle connections would keep it alive for long
  process.once("SIGTERM", stop);
  process.stdin.on("end", () => process.kill(process.pid, "SIGTERM"));
  process.stdin.resume();
  process.stdin.unref();
}

function sayReady(ports) {
  if (ports.length === 0) return console.log(`ready http://127.0.0.1:${valueOf("--blobPort")}`);
  const probe = net.connect(ports[0], "127.0.0.1");
  probe.once("connect", () => {
    probe.destroy();
    sayReady(ports.slice(1));
  });
  probe.once("error", () => setTimeout(sayReady, 25, ports));
}

function valueOf(name) {
  return azuriteArguments[azuriteArguments.indexOf(name) + 1];
}
