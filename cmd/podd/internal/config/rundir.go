package config

import (
	"errors"
	"fmt"
	"path/filepath"

	"podd/internal/atomicfile"
)

// KeepRunDir notes beside the images where the records of the pods are that use them, for commands that find no daemon.
func KeepRunDir(root, runDir string, damaged atomicfile.Report) error {
	file := filepath.Join(root, "run-dir")
	same := false
	err := atomicfile.Load(file, maxPath, func(text []byte) error {
		same = string(text) == runDir
		if !filepath.IsAbs(string(text)) {
			return errors.New("it names no folder")
		}
		return nil
	})
	if same {
		return nil
	}
	damaged.Of(err, "it is written again")
	if err := atomicfile.WriteSync(file, []byte(runDir), 0o600); err != nil {
		return fmt.Errorf("cannot note the folder of the pods' records: %w", err)
	}
	return nil
}

// maxPath is that of the kernel, in bytes.
const maxPath = 4096

// ReadRunDir is the folder of the daemon whose images are below root, the default one where none has noted its own.
func ReadRunDir(root string) string {
	if text, err := atomicfile.Read(filepath.Join(root, "run-dir"), maxPath); err == nil && filepath.IsAbs(string(text)) {
		return string(text)
	}
	return Default().RunDir
}

// PullRecordsFile says, below root, for whom images were pulled.
func PullRecordsFile(root string) string { return filepath.Join(root, "imagepulls.json") }
