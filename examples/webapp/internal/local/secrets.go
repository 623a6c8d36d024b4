package local

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
)

// Secrets plays AWS Secrets Manager's GetSecretValue over AWS JSON 1.1. It is
// safe for concurrent use.
type Secrets struct {
	*httptest.Server

	mu     sync.Mutex
	values map[string]string
	asked  map[string]int
}

func newSecrets() *Secrets {
	s := &Secrets{values: map[string]string{}, asked: map[string]int{}}
	s.Server = httptest.NewServer(http.HandlerFunc(s.answer))
	return s
}

// Set stores a secret's new version, v in JSON.
func (s *Secrets) Set(name string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[name] = string(text)
	return nil
}

// Asked returns how often a secret was read.
func (s *Secrets) Asked(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[name]
}

func (s *Secrets) answer(w http.ResponseWriter, r *http.Request) {
	var in struct{ SecretId string }
	if r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue" || json.NewDecoder(r.Body).Decode(&in) != nil {
		http.Error(w, `{"__type":"InvalidRequestException"}`, http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	text, ok := s.values[in.SecretId]
	if !ok {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"__type":"ResourceNotFoundException","message":"there is no such secret"}`)) // the client sees a cut
		return
	}
	s.asked[in.SecretId]++
	_ = json.NewEncoder(w).Encode(map[string]string{"Name": in.SecretId, "SecretString": text}) // the client sees a cut
}
