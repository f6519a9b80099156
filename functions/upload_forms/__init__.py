"""The uploads function: POST /uploads hands out a form that S3 takes one receipt from."""
