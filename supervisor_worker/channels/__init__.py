"""The channels: a provider's module each behind `port.ChannelPort`, on the provider's own SDK and our HTTP (`providers.exchange`)."""
