"""The contestants on one embedded AWS behind a slow network, and what uploading to them takes."""
