"""What is made of a job's tables afterwards, without Spark."""
