"""What the integration tests stand on: servers, certificates, gateways, and a raw client of the protocol."""
