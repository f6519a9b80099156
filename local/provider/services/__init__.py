"""The resource types of each AWS service that the program uses."""
