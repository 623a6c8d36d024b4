package awskms

import (
	"errors"
	"strings"

	"github.com/aws/smithy-go"
)

// answered is an SDK's error about an answer, notSent an SDK's error about an answer that
// never came.
type (
	answered interface {
		error
		HTTPStatusCode() int
	}
	notSent interface {
		error
		ConnectionError() bool
	}
)

// answerError keeps the text and the cause of the SDK's error about a call. The SDK's
// error itself refers to the request and to parts of the answer, and so to data keys
// and credentials.
type answerError struct {
	text  string
	cause error
}

func (e *answerError) Error() string { return e.text }

func (e *answerError) Unwrap() error { return e.cause }

// maxErrorText bounds the text of an error, which is partly KMS's, in bytes.
const maxErrorText = 1024

// shorn returns an error without the request and the answer that it is about.
func shorn(err error) error {
	_, sent := errors.AsType[answered](err)
	garbled, unread := errors.AsType[*smithy.DeserializationError](err)
	if !sent && !unread {
		return err
	}
	out := &answerError{text: err.Error()}
	if len(out.text) > maxErrorText {
		out.text = strings.ToValidUTF8(out.text[:maxErrorText], "") + "…"
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		out.cause = api
	} else if failed, ok := errors.AsType[notSent](err); ok {
		out.cause = failed
	} else if unread {
		out.cause = garbled.Err
	}
	return out
}
