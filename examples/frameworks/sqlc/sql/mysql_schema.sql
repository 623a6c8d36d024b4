CREATE TABLE customers (id bigint AUTO_INCREMENT PRIMARY KEY, name varchar(100) NOT NULL, email varchar(100), ssn blob, income blob);
CREATE TABLE orders (id bigint AUTO_INCREMENT PRIMARY KEY, customer_id bigint NOT NULL, item varchar(100) NOT NULL, FOREIGN KEY (customer_id) REFERENCES customers (id));
