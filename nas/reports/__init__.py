"""What is shown: functions that read what studies remember, and change nothing."""
