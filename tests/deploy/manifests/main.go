// decode-manifests FOLDER…: builds kustomize folders and decodes every object of theirs strictly into
// its Go type: an unknown kind, an unknown field or a value of another type is an error. Prints
// {FOLDER: [object…]} as JSON.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime"
	strict "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

func newDecoder() (runtime.Decoder, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		appsv1.AddToScheme, corev1.AddToScheme, networkingv1.AddToScheme, monitoringv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	options := strict.SerializerOptions{Strict: true}
	return strict.NewSerializerWithOptions(strict.DefaultMetaFactory, scheme, scheme, options), nil
}

func objectsOf(folder string, decoder runtime.Decoder) ([]json.RawMessage, error) {
	kustomizer := krusty.MakeKustomizer(krusty.MakeDefaultOptions())
	built, err := kustomizer.Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return nil, err
	}
	var objects []json.RawMessage
	for _, resource := range built.Resources() {
		text, err := resource.MarshalJSON()
		if err != nil {
			return nil, err
		}
		if _, _, err := decoder.Decode(text, nil, nil); err != nil {
			return nil, fmt.Errorf("%s %s: %w", resource.GetKind(), resource.GetName(), err)
		}
		objects = append(objects, text)
	}
	return objects, nil
}

func run(folders []string) error {
	decoder, err := newDecoder()
	if err != nil {
		return err
	}
	all := map[string][]json.RawMessage{}
	for _, folder := range folders {
		if all[folder], err = objectsOf(folder, decoder); err != nil {
			return fmt.Errorf("%s: %w", folder, err)
		}
	}
	return json.NewEncoder(os.Stdout).Encode(all)
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "decode-manifests:", err)
		os.Exit(1)
	}
}
