from tests.agent.etcd.servers import servers

__all__ = ["servers"]
