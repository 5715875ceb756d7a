"""What every room needs: whole files, Arrow schemas, errors for a person, models' places."""
