"""The upload-forms function answers POST /uploads with a form for uploading one receipt to S3."""
