package seal

// EmptyShape is what the ciphertexts of an empty plaintext have in common in a format: a
// server can tell them from others without a key.
type EmptyShape struct {
	// Length is their length in bytes; 0 if they are of several.
	Length int
	// Head are their first bytes, if all begin alike.
	Head []byte
	// Tail are bytes that only they have, Before bytes before their end.
	Tail   []byte
	Before int
}

// EmptyShapes are those of every format that the column holds. They are nil if not all can
// be told: messages that end in a signature, bare ciphertexts of KMS, and documents.
func (c *Column) EmptyShapes() []EmptyShape {
	if c.suite.Signed() || c.layout.Legacy || c.document != nil {
		return nil
	}
	return EmptyShapes(c.layout.Compact)
}

// EmptyShapes are those of messages without a signature, and of compact values.
func EmptyShapes(compact bool) []EmptyShape {
	shapes := []EmptyShape{messageForm{}.empty()}
	if compact {
		shapes = append(shapes, compactForm{}.empty())
	}
	return shapes
}
