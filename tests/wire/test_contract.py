"""Both channels pass the suite that every channel has to pass."""

from pathlib import Path

from wire.proxy import Proxy

from maggy.testing.channels import ChannelContract
from maggy.ticket import Ticket
from maggy.wire import connect
from maggy.wire.keys import KeyPair
from maggy.wire.listener import SocketListener
from maggy.wire.memory import MemoryListener


def open_files():
    """Everything that this process has open: files, sockets, pipes."""
    everything = Path("/proc/self/fd")
    return set(everything.iterdir() if everything.is_dir() else [])


class TestMemory(ChannelContract):
    def listen(self):
        return MemoryListener()

    def connect(self, listener, on_message):
        return connect(Ticket(address=listener.address, experiment="e", seat=0), on_message)

    def cut(self, link):
        link.cut()

    def mend(self, link):
        link.mend()


class TestSocket(ChannelContract):
    """The links reach their listener through a network that can be cut."""

    def setup_method(self):
        self.files_before = open_files()
        self.proxy = None
        super().setup_method()

    def teardown_method(self):
        if self.proxy is not None:
            self.proxy.close()
        super().teardown_method()
        assert open_files() == self.files_before

    def listen(self):
        self.driver, self.worker = KeyPair.fresh(), KeyPair.fresh()
        return SocketListener("127.0.0.1", self.worker.public, self.driver)

    def connect(self, listener, on_message):
        self.proxy = self.proxy or Proxy(listener.port)
        ticket = Ticket(
            address=f"tcp://127.0.0.1:{self.proxy.port}",
            experiment="e",
            seat=0,
            server_key=self.driver.public,
            public_key=self.worker.public,
            secret_key=self.worker.secret,
        )
        return connect(ticket, on_message)

    def cut(self, link):
        self.proxy.cut()

    def mend(self, link):
        self.proxy.mend()
