DROP TABLE invitations;
DROP TABLE devices;
