"""The assessment page behind the second link of an urgent card: what the chart does not tell, asked and examined."""
