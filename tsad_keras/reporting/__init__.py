"""The parts of a report: facts about data and machine, alarms, means, tables, Markdown."""
