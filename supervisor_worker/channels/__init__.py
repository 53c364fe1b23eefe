"""The ways out: one module a provider behind `port.ChannelPort`, each on the provider's own SDK over the same `providers.exchange`."""
