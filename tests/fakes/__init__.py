"""Stand-ins for the world outside, with its failure modes. Fakes stand at the edge of the network, never in between."""
