"""An always-on evaluator for LLM products, on Kafka, Spark and Delta Lake."""
