"""Azurite as the stack runs it: what it acknowledged is there after a kill."""

from __future__ import annotations

import subprocess

import pytest
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from local.stack.app_settings import storage_connection
from local.stack.children import ROOT, azurite_command
from local.stack.folder import Ports, StackFolder
from local.stack.ports import free_ports


@pytest.fixture
def started(tmp_path):
    """Starts Azurite on the same data and ports; gives its process. All of them end with the test."""
    ports = Ports(*free_ports(6))
    processes: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            azurite_command(StackFolder(tmp_path), ports),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        processes.append(process)
        assert process.stdout is not None
        assert any(line.startswith("ready http") for line in process.stdout)
        return process

    yield start, storage_connection(ports)
    for process in processes:
        kill(process)


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        pipe.close()


def test_blobs_and_messages_that_were_acknowledged_survive_a_kill(started):
    start, connection = started
    process = start()
    with BlobServiceClient.from_connection_string(connection) as blobs:
        container = blobs.create_container("kept")
        with QueueServiceClient.from_connection_string(connection) as queues:
            queue = queues.create_queue("kept")
            for number in range(20):
                container.upload_blob(f"{number}.txt", b"content")
                queue.send_message(f"message {number}")
            container.delete_blob("0.txt")
            kill(process)
            start()
            assert {blob.name for blob in container.list_blobs()} == {f"{number}.txt" for number in range(1, 20)}
            assert container.download_blob("7.txt").readall() == b"content"
            assert queue.get_queue_properties().approximate_message_count == 20


def test_it_ends_when_its_parent_is_gone(started):
    start, _ = started
    process = start()
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(10) == 0
