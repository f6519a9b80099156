"""The contestants on one embedded AWS behind a slow network, and the time and CPU that uploads take."""
