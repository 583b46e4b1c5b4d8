"""OKX v5 as the loopback exchange speaks it: trading and funding account, master and members."""
