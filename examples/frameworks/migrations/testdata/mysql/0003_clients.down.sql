DROP TABLE `grants`;
DROP TABLE clients;
