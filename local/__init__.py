"""The embedded AWS: the unmodified Pulumi program, deployed on an AWS emulator on this machine."""
